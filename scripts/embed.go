// Package scripts holds the Lua that the program carries: what runs when the
// configuration names no script, and what legwork init writes.
package scripts

import "embed"

// Files are the scripts, their tests included; main.lua is the main one.
//
//go:embed *.lua
var Files embed.FS
