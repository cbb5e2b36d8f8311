# Where an array is resumed, most tasks have nothing to do, and need no server.
if ((tasks > 0 && ${#own[@]} == 0)); then
  code=0 cause=finished reason="all points are finished"
  write_manifest || fail "cannot write $manifest"
  rmdir "$copies" "$run" "${run%/*}" "${claims[@]-}" 2>/dev/null || true
  say "exit 0: nothing to do: all ${#points[@]} points of task $task are finished"
  exit 0
fi
