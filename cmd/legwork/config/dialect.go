package config

// Privacy says whether a neighbour is trusted with who calls.
type Privacy struct {
	Trust bool `yaml:"trust" doc:"true: who calls is believed from it and told to it; false: P-Asserted-Identity and Remote-Party-ID are dropped both ways, and callers who ask for Privacy are anonymous."`
}
