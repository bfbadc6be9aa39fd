# kaizen-host.bash - completes command lines of kaizen-host in bash.
#
# SPDX-License-Identifier: Apache-2.0
#
# Installed where bash-completion looks, or sourced from ~/.bashrc.  What can come next is asked of
# the program (kaizen-host complete).

_kaizen_host() {
  local words=() i value prefix candidate candidates
  # bash cuts words at "=" and ":"; the program wants them whole.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    if ((i > 1)) && [[ ${COMP_WORDS[i]} == [=:]* || ${COMP_WORDS[i - 1]} == *[=:] ]]; then
      words[-1]+=${COMP_WORDS[i]}
    else
      words+=("${COMP_WORDS[i]}")
    fi
  done
  value=${words[-1]}
  # What stands before the piece that bash replaces.
  prefix=${value%"${COMP_WORDS[COMP_CWORD]}"}
  [[ ${COMP_WORDS[COMP_CWORD]} == [=:] ]] && prefix=$value

  COMPREPLY=()
  mapfile -t candidates < <(kaizen-host complete -- "${words[@]}" 2>/dev/null)
  for candidate in "${candidates[@]}"; do
    case $candidate in
      :files)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "${value#--*=}")
        return
        ;;
      :folders)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "${value#--*=}")
        return
        ;;
      :command)
        _kaizen_host_command
        return
        ;;
    esac
    candidate=${candidate%%$'\t'*}
    [[ $candidate == "$value"* ]] || continue
    [[ $candidate == *= ]] && compopt -o nospace 2>/dev/null
    COMPREPLY+=("${candidate#"$prefix"}")
  done
}

# The command line behind "--": its own completion when bash-completion is loaded.
_kaizen_host_command() {
  local i=1
  while [[ ${COMP_WORDS[i]} != -- ]]; do ((i++)); done
  if declare -F _command_offset >/dev/null; then
    _command_offset $((i + 1))
  elif ((COMP_CWORD == i + 1)); then
    mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
  fi
}

complete -F _kaizen_host kaizen-host
