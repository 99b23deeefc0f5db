import type { Command } from '../command/command.ts'
import { argumentOf, firstWords, type OptionWord, optionWords, secondWords, type Word } from './words.ts'

/** A completion script for zsh. */
export function zshScript(commands: readonly Command[]): string {
  const first = firstWords(commands)
  const twoWorded = first.filter(({ word }) => secondWords(commands, word).length > 0)
  return `#compdef posthaste
# posthaste completion for zsh: eval "$(posthaste completion zsh)", after compinit
_posthaste() {
  local command=\${words[2]}
  if (( CURRENT == 2 )); then
    local -a commands=(${described(first)})
    _describe command commands
    return
  fi
  case $command in
${twoWorded.map(({ word }) => secondCase(word, secondWords(commands, word))).join('\n')}
  esac
  case $command in
${commands.map(caseOf).join('\n')}
  esac
}
compdef _posthaste posthaste
`
}

function secondCase(word: string, second: readonly Word[]): string {
  return `    ${word})
      if (( CURRENT == 3 )); then
        local -a commands=(${described(second)})
        _describe command commands
        return
      fi
      command="$command \${words[3]}"
      shift words
      (( CURRENT -= 1 )) ;;`
}

function caseOf(command: Command): string {
  const specs = optionWords(command).flatMap(optionSpecs)
  const { choices, completes } = argumentOf(command)
  const argument = quoted(`*:argument:${action(choices, completes)}`)
  return `    '${command.name}')
      shift words
      (( CURRENT -= 1 ))
      _arguments ${[...specs, argument].join(' ')} ;;`
}

function optionSpecs({ word, short, about, takesValue, choices, completes }: OptionWord): string[] {
  const value = takesValue ? `:value:${action(choices, completes)}` : ''
  const told = `[${escaped(about)}]${value}`
  return [quoted(`--${word}${told}`), ...(short === undefined ? [] : [quoted(`-${short}${told}`)])]
}

function action(choices: readonly string[], completes: 'file' | 'directory' | undefined): string {
  if (choices.length > 0) return `(${choices.join(' ')})`
  if (completes === undefined) return ' '
  return completes === 'file' ? '_files' : '_files -/'
}

function described(words: readonly Word[]): string {
  return words.map(({ word, about }) => quoted(`${word}:${escaped(about)}`)).join(' ')
}

/** What has a meaning within a specification. */
const escaped = (text: string): string => text.replaceAll(/[[\]:\\]/g, '\\$&')

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
