//go:build !linux

package transport

import "errors"

// mark refuses what this system is not asked for.
func mark(_ any, dscp int) error {
	if dscp == 0 {
		return nil
	}
	return errors.New("dscp is for Linux only")
}
