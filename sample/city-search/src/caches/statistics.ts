/** The name of the cache for what takes long to compute: a life of its own, and counts of its own. */
export const STATISTICS = 'statistics';
