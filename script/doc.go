// Package script lets Lua decide about calls: it is the b2bua.Policy that
// contract/lua-api.md describes, with its objects, decisions, message profiles
// and hot reload.
//
// It knows messages and decisions, never sockets, transactions or timers of
// SIP; what a decision does is the engine's. Lua itself - sandbox, limits,
// waiting - is package script/lua, the libraries below b2b are script/lib.
//
// Start with Policy (policy.go): it holds the live generation (generation.go)
// of scripts, which load.go makes of a Snapshot. Each generation has a few
// machines (machine.go), one Lua VM each; a call is pinned to one of them by
// its router (router.go).
package script
