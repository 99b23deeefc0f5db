import type { Channel } from 'rabbitmq-client'
import { unknownClient } from './errors.ts'

/**
 * Makes a channel hand over bodies as the bytes they are. The client parses what is marked as JSON or as text, and what was
 * parsed cannot be told back to the byte; so the content type is hidden from it, and found as `rawContentType` instead.
 */
export function keepBodiesRaw(channel: Channel): Channel {
  const reading = channel as unknown as Reading
  const { _onHeader: onHeader } = reading
  if (typeof onHeader !== 'function') throw unknownClient('reads headers otherwise')
  reading._onHeader = (frame) => {
    frame.fields.rawContentType = frame.fields.contentType
    frame.fields.contentType = undefined
    onHeader.call(channel, frame)
  }
  return channel
}

interface Reading {
  _onHeader(frame: { readonly fields: { contentType?: string | undefined; rawContentType?: string | undefined } }): void
}
