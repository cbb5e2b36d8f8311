# Lines as people may read them: without progress bars, colours, control characters, and the old folder of a failed point.
plain() { LC_ALL=C sed $'s/\r*$//; s/.*\r//; s/\e\\[[0-9;?]*[A-Za-z]//g; s/\t/ /g; s/[^ -~]//g; s|/\\.run_\\([0-9-]*\\)/client/|/failed_\\1/|g'; }
# show_cause LOG: the lines of a log that look like the cause of its end, then the last ones. What a server writes is
# hostile: it is read in bounded memory, and shown in part. A client's image names the logs of its points.
show_cause() {
  local shown=8 LC_ALL=C
  [[ -f $1 && ! -L $1 ]] || return 0
  echo "what may be the cause, in ${1//[^ -~]/?}:"
  # Of the first kind that there is: 1 a cause, 2 may be one, 3 follows from one. What differs in numbers only is one.
  LC_ALL=C timeout 60 cut -b -4000 -- "$1" | LC_ALL=C grep -naiE \
    'error|exception|critical|fatal|fault|fail|kill|oom|out of|cuda|nccl|denied|quota|no such|not found|dumped|abort|in use|can.?not|could not|unable|exited|what\(|illegal|terminate|\[E\]' |
    LC_ALL=C grep -av '^[0-9]*:.\{0,40\}\(INFO\|DEBUG\)[ :]' | head -n 50000 | plain |
    LC_ALL=C timeout 60 awk -F : -v earlier="${earlier_lines[$1]:-0}" '
    function keep(kind,   key) {
      key = kind substr(text, 1, 200)
      gsub(/[0-9]+/, "0", key)
      if (!times[key]++) { keys[kind, ++kept[kind]] = key; lines[key] = $1 ": " substr(line, 1, 400) }
    }
    $1 + 0 > earlier + 0 {
      text = line = substr($0, length($1) + 2)
      # What loggers put before a message.
      for (i = 0; i < 12 && sub(/^(\[[^][]*\](<[a-z]+>)?:? ?|\([^()]*pid=[0-9]+[^()]*\) ?|(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)(: *| |$)|[EWIF][0-9]+ [0-9:.]+ +[0-9]+ [^ ]+\] |[0-9][0-9.,:TZ+\/-]*:? |[A-Za-z0-9_.\/-]+:[0-9]+\] ?|[A-Za-z0-9_.-]+:[0-9]+:[0-9]+ |([A-Za-z_.]+ )?- |\{"timestamp": "[^"]*", "level": "[A-Z]+", ("message": ")?)/, "", text); i++) ;
      prefix = substr(line, 1, length(line) - length(text))
      level = prefix ~ /ERROR|CRITICAL|FATAL|\[[EF]\]|(^|\[)[EF][0-9]/ ? "E" : prefix ~ /WARN|\[W\]|(^|\[)W[0-9]/ ? "W" : prefix ~ /INFO|DEBUG|TRACE|NOTICE|\[[IVD]\]|(^|\[)I[0-9]/ ? "I" : ""
      # Neither what is no failure, nor the inside of a traceback.
      if (level == "I" || line ~ /\[dump_input\.py/ || text ~ /^$|^[ ^~]/ && text !~ /^ *(what\(\): |Value error, )/) next
      if (line ~ /[Ee]ngine core init|[Ee]ngine process failed|EngineDead|initialization failed due to|failed to start|died unexpected|sigquit|[Ww]orker (returned error|died)|MPI_A[Bb]|root cause|Exited with|Terminated|KeyboardInterrupt|SystemExit|Cancelled|CANCELLED|BrokenPipe|ConnectionReset|EOFError|handler failed|leaked |[0-9] validation error/) keep(3)
      else if (text ~ /^([A-Za-z_][A-Za-z0-9_.]*)?([Ee]rror|Exception|OutOfResources)(:|$)|^ +Value error, / || line ~ /[Ee]ngine ?[Cc]ore.*exited unexpectedly/) keep(1)
      else if (line ~ /[Oo]ut [Oo]f [Mm]emory|OutOfMemory|oom.kill|OOM.[Kk]ill|CUDA (driver|error|failure)|CUDA_ERROR|[Cc]uda (error|failure)|NCCL (error|WARN)|nccl[A-Z][A-Za-z]*Error|ddress already in use|[Nn]o space left|[Qq]uota exceeded|[Ss]egmentation fault|Bus error|Illegal instruction|core dumped|(^|[ :])Killed|terminate called|[Aa]ssertion.*failed|what\(\): |Error Code [0-9]|nvidia-container-cli|find a profile|match a profile/) keep(level == "W" ? 2 : 1)
      else if (level == "E" || level == "" && (line ~ /(^|[^A-Za-z0-9_"=.-])([Ee]rror|ERROR|FATAL|[Ff]atal): |: (error|failed) |[Pp]ermission denied|No such file|command not found|cannot open shared/ || text ~ /^([Ee]rror|ERROR|[Ff]atal|FATAL|[Ff]ailed|FAILED|[Cc]annot|[Cc]ould not|[Uu]nable|Aborted)([: ]|$)/)) keep(2)
    }
    END {
      for (kind = 1; kind < 4 && !kept[kind]; ) kind++
      if (!kept[kind]) print "  | no line looks like it"
      for (i = 1; i <= kept[kind]; i++) {
        key = keys[kind, i]
        if (i <= 5 || i > kept[kind] - 3) print "  | line " lines[key] (times[key] > 1 ? " (" times[key] " times)" : "")
      }
      exit !kept[kind]
    }' || shown=20
  echo "  the last lines of it:"
  { tail -c 65536 -- "$1" | tr '\r' '\n' | plain | grep . | tail -n "$shown" | cut -b -400 | sed 's/^/  | /'; } || true
}
# look_into LOG...: sets $cause_lines. There may be any number of logs, of any length.
look_into() {
  local log
  SECONDS=0
  mapfile -t cause_lines < <(for log; do ((SECONDS > 60)) || show_cause "$log"; done | head -n 400)
}
