// Package examples holds deployments that tests play through; each folder has a
// README.md. The program carries hello for its demo.
package examples

import "embed"

// Files are the examples that the program carries.
//
//go:embed hello/legwork.yaml hello/*.lua
var Files embed.FS
