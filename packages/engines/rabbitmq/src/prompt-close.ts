import type { Channel } from 'rabbitmq-client'

/**
 * Makes closing a channel end when the channel does. The client asks the server to close it and waits for the answer, also
 * where the connection is lost in between and the channel is gone already: that answer never comes.
 */
export function closePromptly(channel: Channel): Channel {
  const close = channel.close.bind(channel)
  channel.close = () => {
    if (!channel.active) return Promise.resolve()
    const gone = new Promise<void>((resolve) => channel.once('close', resolve))
    return Promise.race([close(), gone])
  }
  return channel
}
