import type { Command } from '../command/command.ts'
import { argumentOf, firstWords, optionWords, secondWords } from './words.ts'

/** A completion script for bash: everything it knows stands in it, so a Tab starts no program. */
export function bashScript(commands: readonly Command[]): string {
  const names = (words: readonly { word: string }[]): string => words.map(({ word }) => word).join(' ')
  const twoWorded = firstWords(commands).filter(({ word }) => secondWords(commands, word).length > 0)
  return `# posthaste completion for bash: eval "$(posthaste completion bash)"
_posthaste() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command=\${COMP_WORDS[1]} options= arguments=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names(firstWords(commands))}" -- "$current"))
    return
  fi
  case $command in
${twoWorded.map(({ word }) => `    ${word})${secondCase(names(secondWords(commands, word)))}`).join('\n')}
  esac
  case $command in
${commands.map(caseOf).join('\n')}
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$arguments" -- "$current")) ;;
  esac
}
complete -F _posthaste posthaste
`
}

function secondCase(words: string): string {
  return `
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "${words}" -- "$current"))
        return
      fi
      command="$command \${COMP_WORDS[2]}" ;;`
}

function caseOf(command: Command): string {
  const options = optionWords(command)
  const valued = options.filter(({ takesValue }) => takesValue)
  const values = valued.map(({ word, short, choices, completes }) => {
    const pattern = short === undefined ? `--${word}` : `--${word}|-${short}`
    return `        ${pattern}) ${answer(choices, completes)} return ;;`
  })
  const { choices, completes } = argumentOf(command)
  const files =
    completes === undefined
      ? ''
      : `
      case $current in -*) ;; *) ${answer([], completes)} return ;; esac`
  const cases =
    values.length === 0
      ? ''
      : `
      case $previous in
${values.join('\n')}
      esac`
  return `    '${command.name}')
      options="${options.map(({ word }) => `--${word}`).join(' ')}"
      arguments="${choices.join(' ')}"${cases}${files} ;;`
}

function answer(choices: readonly string[], completes: 'file' | 'directory' | undefined): string {
  if (choices.length > 0) return `COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$current"));`
  if (completes === undefined) return ''
  return `COMPREPLY=($(compgen ${completes === 'file' ? '-f' : '-d'} -- "$current"));`
}
