import { describe, expect, it } from 'vitest'
import { onStages, openStage } from './open.ts'

const program = new URL('../../../test/echo-stage.ts', import.meta.url)

describe('a stage', () => {
  it('does what it is asked, each asker getting its own answer', async () => {
    const stage = await openStage(program, { isBroken: false })
    expect(stage.url).toBe('http://127.0.0.1:1')
    const answers = await Promise.all([1, { two: 2 }, 'three'].map((input) => stage.ask('echo', input)))
    expect(answers).toEqual([1, { two: 2 }, 'three'])
    await expect(stage.ask('fail')).rejects.toThrow('not this')
    await expect(stage.ask('sing')).rejects.toThrow("knows no command 'sing'")
    await stage.close()
    await stage.close()
    await expect(stage.ask('echo', 1)).rejects.toThrow('the stage has ended')
  })

  it('that ends by itself fails whoever waits for it', async () => {
    const stage = await openStage(program, { isBroken: false })
    await expect(stage.ask('die')).rejects.toThrow('the stage ended with 4')
    await stage.close()
  })

  it('that does not open is told of', async () => {
    await expect(openStage(program, { isBroken: true })).rejects.toThrow('the stage ended with 3')
  })
})

describe('several stages', () => {
  it('are played on together, and closed afterwards', async () => {
    const stages = await onStages(program, [{ isBroken: false }, { isBroken: false }], async (...open) => {
      expect(await Promise.all(open.map((stage, at) => stage.ask('echo', at)))).toEqual([0, 1])
      return open
    })
    for (const stage of stages) await expect(stage.ask('echo', 1)).rejects.toThrow('has ended')
  })

  it('are closed where one of them does not open, and not played on', async () => {
    const playing = onStages(program, [{ isBroken: false }, { isBroken: true }], async () => 'played')
    await expect(playing).rejects.toThrow('the stage ended with 3')
  })
})
