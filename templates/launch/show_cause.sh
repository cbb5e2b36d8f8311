# Lines as people may read them: without progress bars, colours, control characters, and the old folder of a failed point.
plain() { LC_ALL=C sed $'s/\r*$//; s/.*\r//; s/\e\\[[0-9;?]*[A-Za-z]//g; s/\t/ /g; s/[^ -~]//g; s|/\\.run_\\([0-9-]*\\)/client/|/failed_\\1/|g'; }
# show_cause LOG: lines that look like the cause, then the last ones. A server's words are hostile: memory is bounded.
show_cause() {
  local -x LC_ALL=C shown=8
  # What names a cause; what may be one; what follows from one; and what is no failure, or the inside of a traceback.
  local cause='(^|[] .)])[A-Za-z_]*(Error|Exception|OutOfResources)(:|$)| Value error, |[Oo]ut [Oo]f [Mm]emory|OutOfMemory|oom.kill|OOM.[Kk]ill|CUDA (driver|error|failure)|CUDA_ERROR|[Cc]uda (error|failure)|NCCL (error|WARN)|ddress already in use|[Nn]o space left|[Qq]uota exceeded|[Ss]egmentation fault|Bus error|Illegal instruction|core dumped|(^|[ :])Killed|terminate called|[Aa]ssertion.*failed|what[(][)]: |Error Code [0-9]|nvidia-container-cli|enroot-[a-z]+: failed|exited unexpectedly|crashed with exit code'
  local maybe='(^|[] :[])(ERROR|FATAL|CRITICAL|E[]]|[Ee]rror:|[Ff]atal:)|"level": "(ERROR|CRITICAL|FATAL)|^[EF][0-9]{4} |: (error|failed) | unable to locate |^([Ee]rror|[Ff]ailed|[Cc]annot|[Cc]ould not|[Uu]nable|Aborted)|[Pp]ermission denied|No such file|command not found|cannot open shared'
  local follows='[Ee]ngine core init|[Ee]ngine process failed|EngineDead|initialization failed due to|failed to start|died unexpected|sigquit from|SIGQUIT received|[Ww]orker (returned error|died)|MPI_A[Bb]|root cause|Exited with|task [0-9,-]+: Killed|Terminated|KeyboardInterrupt|SystemExit|Cancelled|CANCELLED|BrokenPipe|ConnectionReset|EOFError|handler failed|leaked |[0-9] validation error'
  local harmless='^[0-9]*:(.{0,60}[^A-Za-z_])?(INFO|DEBUG|NOTICE|TRACE|[[][IVD][]])([] :"]|$)|^[0-9]*:I[0-9]{4} |Traceback [(]|  File "|dump_input|^[0-9]*:(.{0,80}[])])?    +[^ ]'
  [[ -f $1 && ! -L $1 ]] || return 0
  echo "what may be the cause, in ${1//[^ -~]/?}:"
  # The first lines of the first kind that there is. What differs in numbers only is one.
  timeout 60 cut -b -4000 -- "$1" | plain | grep -nE "$cause|$maybe|$follows" | grep -vE "$harmless" | head -n 50000 |
    timeout 60 awk -F : -v earlier="${earlier_lines[$1]:-0}" -v cause="$cause" -v follows="$follows" '
    $1 + 0 > earlier + 0 {
      line = substr($0, length($1) + 2, 400)
      kind = line ~ follows ? 3 : line ~ cause && line !~ /WARNING/ ? 1 : 2
      key = substr(line, 1, 200)
      gsub(/[0-9]+/, "0", key)
      if (!seen[key]++ && ++count[kind] <= 8) found[kind] = found[kind] "  | line " $1 ": " line "\n"
    }
    END {
      for (kind = 1; kind < 3 && !found[kind]; ) kind++
      printf "%s", found[kind] ? found[kind] : "  | no line looks like it\n"
      exit !found[kind]
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
