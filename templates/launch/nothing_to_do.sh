all_finished() {
  local point use_case isl osl concurrency
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency _ <<<"$point"
    point_folder "$use_case" "$isl" "$osl" "$concurrency" || return 1
  done
}
# Where an array is resumed, most tasks have nothing to do, and need no server.
if all_finished; then
  write_manifest 0 "all points are finished" || fail "cannot write $manifest"
  rmdir "$run" 2>/dev/null || true
  say "exit 0: nothing to do: all ${#points[@]} points of task $task are finished"
  exit 0
fi
