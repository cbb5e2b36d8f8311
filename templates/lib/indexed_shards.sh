# Shards that the index file $1 names, one a line.
indexed_shards() { grep -o '"[^"/]*\.safetensors"' "$1" | tr -d '"' | sort -u; }
