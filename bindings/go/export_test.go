package sop

// Handles counts the stores that a database has handles of.
func (db *DB) Handles() int {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return len(db.stores)
}
