import { describe, expect, it } from 'vitest'
import { rig } from '../../test/rig.ts'
import { commands } from '../commands/commands.ts'
import { optionWords } from './words.ts'

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s knows every command and every option', async (shell) => {
    const { code, out } = await rig().run(['completion', shell])
    expect(code).toBe(0)
    for (const command of commands) {
      for (const word of command.name.split(' ')) expect(out).toContain(word)
      for (const { word } of optionWords(command)) expect(out).toContain(shell === 'fish' ? `-l ${word}` : `--${word}`)
    }
  })

  it('quotes what a shell would take for its own', async () => {
    const { out } = await rig().run(['completion', 'zsh'])
    for (const line of out.split('\n')) expect(line.replaceAll("'\\''", '').split("'").length % 2).toBe(1)
  })

  it('needs the name of a shell', async () => {
    expect(await rig().run(['completion'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('bash, zsh or fish'),
    })
    expect(await rig().run(['completion', 'csh'])).toMatchObject({ code: 2 })
  })
})
