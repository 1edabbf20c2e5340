package config

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"legwork/b2bua/store/redis"
	"legwork/script/sql"
)

// completeDatabases fills in what the file left out.
func completeDatabases(dir string, c *Config) {
	for _, one := range c.Redis {
		if one.Timeout == 0 {
			one.Timeout = time.Second
		}
		if one.Connections == 0 {
			one.Connections = 10
		}
	}
	for _, one := range c.SQL {
		if one.Driver == sql.SQLite {
			one.DSN = Secret(within(dir, string(one.DSN)))
		}
		if one.Timeout == 0 {
			one.Timeout = 2 * time.Second
		}
		if one.Connections == 0 {
			one.Connections = 10
		}
	}
}

func (r *reader) store(s *Store) {
	switch {
	case s.Kind == "file" && s.Path == "":
		r.refuse(&s.Kind, "store.path is missing", `such as "store.db"`)
	case s.Kind == "file":
		if f, err := os.Stat(filepath.Dir(s.Path)); err != nil || !f.IsDir() {
			r.refuse(&s.Path, fmt.Sprintf("store.path: there is no folder %s", filepath.Dir(s.Path)), "make it")
		}
	case s.Kind == "redis" && s.URL == "":
		r.refuse(&s.Kind, "store.url is missing", "such as redis://127.0.0.1:6379/0")
	case s.Kind == "redis":
		if err := redis.CheckURL(string(s.URL)); err != nil {
			r.refuse(&s.URL, "store.url: "+err.Error(), "")
		}
	}
	if s.Kind != "file" && s.Path != "" {
		r.refuse(&s.Path, "store.path is for kind file only", "remove it")
	}
	if s.Kind != "redis" && s.URL != "" {
		r.refuse(&s.URL, "store.url is for kind redis only", "remove it")
	}
}

func (r *reader) databases(c *Config) {
	r.store(&c.Store)
	for name, one := range c.Redis {
		r.serverName(&c.Redis, "redis", name)
		r.redisURL(one, &one.URL, "redis."+name+".url")
	}
	for name, one := range c.SQL {
		r.serverName(&c.SQL, "sql", name)
		r.database(one, "sql."+name)
	}
}

// serverName refuses a name that has no place in Lua and metrics.
func (r *reader) serverName(of any, key, name string) {
	if !isName(name) {
		r.refuse(entry{of, name}, fmt.Sprintf("%s: %q is not a name", key, name), nameCure)
	}
}

func (r *reader) redisURL(elem any, url *Secret, key string) {
	r.requiredSecret(elem, url, key, "such as redis://127.0.0.1:6379/0")
	if err := redis.CheckURL(string(*url)); *url != "" && err != nil {
		r.refuse(url, key+": "+err.Error(), "")
	}
}

func (r *reader) database(one *SQL, key string) {
	r.required(one, &one.Driver, key+".driver", "known: postgres, sqlite")
	r.requiredSecret(one, &one.DSN, key+".dsn", "the address of the database, or the path of its file")
	switch one.Driver {
	case sql.Postgres:
		if err := sql.CheckPostgres(string(one.DSN)); one.DSN != "" && err != nil {
			r.refuse(&one.DSN, key+".dsn: "+err.Error(), "")
		}
	case sql.SQLite:
		if s, err := os.Stat(filepath.Dir(string(one.DSN))); one.DSN != "" && (err != nil || !s.IsDir()) {
			r.refuse(&one.DSN, key+".dsn: the folder of the file is not there", "make it")
		}
	}
}

// requiredSecret is required for a value that is not shown.
func (r *reader) requiredSecret(elem any, value *Secret, key, cure string) {
	m, written := r.at[value]
	switch {
	case *value != "" || m.wrong:
	case written:
		r.refuse(value, key+" is missing", cure)
	default:
		r.refuse(elem, key+" is missing", cure)
	}
}
