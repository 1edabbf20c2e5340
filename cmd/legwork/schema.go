package main

import "legwork/cmd/legwork/config"

type schemaCommand struct{}

// Run prints the schema; it is JSON whatever is asked.
func (schemaCommand) Run(t *terminal) error {
	_, err := t.out.Write(config.Schema())
	return err
}
