import { EventEmitter } from 'node:events'
import type { Channel } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { closePromptly } from './prompt-close.ts'

/** A channel whose client waits for an answer that the test gives or does not. */
function channelWith(answer: Promise<void>) {
  const closes: boolean[] = []
  const channel = Object.assign(new EventEmitter(), {
    active: true,
    close: async () => {
      closes.push(true)
      channel.active = false
      await answer
    },
  })
  return { channel, closes, prompt: closePromptly(channel as unknown as Channel) }
}

const never = new Promise<void>(() => {})

describe('closing a channel', () => {
  it('ends when the client says so', async () => {
    const { prompt, closes } = channelWith(Promise.resolve())
    await prompt.close()
    expect(closes).toHaveLength(1)
  })

  it('ends with the channel, though the client waits on', async () => {
    const { channel, prompt } = channelWith(never)
    const closing = prompt.close()
    channel.emit('close')
    expect(await closing).toBeUndefined()
  })

  it('does nothing to one that is closed', async () => {
    const { channel, prompt, closes } = channelWith(never)
    channel.active = false
    expect(await prompt.close()).toBeUndefined()
    expect(closes).toHaveLength(0)
  })
})
