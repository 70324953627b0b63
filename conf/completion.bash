# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Completion of moongate's command line, for bash.

# The listeners that the configuration on the command line names.
_moongate_listeners() {
	local file=/etc/moongate/moongate.conf i
	for ((i = 1; i < ${#COMP_WORDS[@]} - 1; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config)
			file=${COMP_WORDS[i + 1]}
			[[ $file != = ]] || file=${COMP_WORDS[i + 2]}
			;;
		esac
	done
	sed -nE 's/^\[listener +([A-Za-z0-9_.-]+) *\].*/\1/p' "$file" 2>/dev/null
}

_moongate() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	# In --key=value, bash makes three words.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $prev in
	-c | --config)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--listener)
		mapfile -t COMPREPLY < <(compgen -W "$(_moongate_listeners)" -- "$cur")
		return
		;;
	--explain)
		mapfile -t COMPREPLY < <(compgen -W "ws:// http://" -- "$cur")
		compopt -o nospace 2>/dev/null
		return
		;;
	--header) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "-c -t --config --test --explain --header --listener --help-config
		-h --help -V --version" -- "$cur")
}

complete -F _moongate moongate
