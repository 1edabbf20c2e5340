package main

import (
	"fmt"

	"legwork/b2bua/store/redis"
	"legwork/cmd/legwork/config"
	"legwork/script/lib"
	"legwork/script/sql"
)

// databases are the servers that scripts ask by name, for the life of the
// process.
type databases struct {
	redis map[string]lib.Redis
	sql   map[string]lib.SQL
	close []func()
}

// openDatabases connects to none of them yet.
func openDatabases(c *config.Config) (*databases, error) {
	d := &databases{redis: map[string]lib.Redis{}, sql: map[string]lib.SQL{}}
	for name, one := range c.Redis {
		client, err := redis.Open(redis.Config{URL: string(one.URL), Timeout: one.Timeout, Connections: one.Connections})
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("redis %s: %w", name, err)
		}
		d.redis[name] = client
		d.close = append(d.close, client.Close)
	}
	for name, one := range c.SQL {
		db, err := sql.Open(sql.Config{Driver: one.Driver, DSN: string(one.DSN), Timeout: one.Timeout, Connections: one.Connections})
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("sql %s: %w", name, err)
		}
		d.sql[name] = db
		d.close = append(d.close, db.Close)
	}
	return d, nil
}

// noDatabases are those of the configuration by name, where there is no network.
func noDatabases(c *config.Config) *databases {
	d := &databases{redis: map[string]lib.Redis{}, sql: map[string]lib.SQL{}}
	for name := range c.Redis {
		d.redis[name] = lib.Nowhere{}
	}
	for name := range c.SQL {
		d.sql[name] = lib.Nowhere{}
	}
	return d
}

// Close ends what is asked of them too.
func (d *databases) Close() {
	for _, one := range d.close {
		one()
	}
}
