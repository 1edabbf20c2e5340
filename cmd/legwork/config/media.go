package config

// Media says where RTP flows.
type Media struct {
	Mode MediaMode `yaml:"mode" enum:"direct" later:"relay rtpengine" doc:"direct: RTP flows from end to end."`

	_ struct{} `idle:"relay rtpengine"`
}

// MediaMode is a way of RTP.
type MediaMode string

// MediaDirect is the value of mode, and of media of a trunk.
const MediaDirect MediaMode = "direct"
