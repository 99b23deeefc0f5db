import type { Command } from '../command/command.ts'
import { command } from '../command/command.ts'
import { choice, Mistake, type Option } from '../command/options.ts'
import { bashScript } from '../completion/bash.ts'
import { fishScript } from '../completion/fish.ts'
import { zshScript } from '../completion/zsh.ts'

const scripts: Readonly<Record<'bash' | 'zsh' | 'fish', (commands: readonly Command[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

const shells = ['bash', 'zsh', 'fish'] as const
const any = choice('The shell', shells)
const shellArgument: Option<(typeof shells)[number]> = {
  ...any,
  required: true,
  read(given) {
    const shell = any.read(given)
    if (shell === undefined) throw new Mistake('is missing: bash, zsh or fish')
    return shell
  },
}

/** `posthaste completion` */
export const completion = command({
  name: 'completion',
  about: 'Writes a completion script for a shell',
  details: ['Put the line of the example into the file that the shell reads when it starts.'],
  args: { shell: shellArgument },
  options: {},
  examples: [
    'eval "$(posthaste completion bash)"    # ~/.bashrc',
    'eval "$(posthaste completion zsh)"     # ~/.zshrc, after compinit',
    'posthaste completion fish | source     # ~/.config/fish/config.fish',
  ],
  async run({ shell }, _, { io, commands }) {
    await io.out.write(scripts[shell](commands))
  },
})
