package main

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

const (
	maxEntries = 16
	// maxCachedRequest in bytes: a compiled schema takes up to a hundred times its text.
	maxCachedRequest = 64 << 10
)

// valueCache remembers compiled schemas as OPA's server does, but few of them, and none that is large: a schema may come
// from a request. Keys are a schema itself, or OPA's digest of it.
type valueCache struct {
	entries []entry // the newest first
}

type entry struct {
	key   ast.Value
	value any
}

// Get returns the value under a key, and makes it the newest.
func (c *valueCache) Get(key ast.Value) (any, bool) {
	for i, e := range c.entries {
		if e.key.Compare(key) == 0 {
			copy(c.entries[1:i+1], c.entries[:i])
			c.entries[0] = e
			return e.value, true
		}
	}
	return nil, false
}

// Insert puts a value in, which may push out the oldest.
func (c *valueCache) Insert(key ast.Value, value any) int {
	if len(request) > maxCachedRequest {
		return 0
	}
	if len(c.entries) < maxEntries {
		c.entries = append(c.entries, entry{})
	}
	copy(c.entries[1:], c.entries)
	c.entries[0] = entry{key, value}
	return 0
}

// Delete does nothing: no builtin here takes an entry back.
func (c *valueCache) Delete(ast.Value) {}

// GetCache is the same cache under every name: keys of one kind do not look like those of another.
func (c *valueCache) GetCache(string) cache.InterQueryValueCacheBucket { return c }

// UpdateConfig does nothing: the limits are fixed.
func (c *valueCache) UpdateConfig(*cache.Config) {}
