/*
 * The numbers of the protocol, version 1. docs/reference/link.md says what they mean; its test vectors hold this folder
 * to that page.
 */

/** What a client sends before anything else. The line end shows whether something on the way rewrites bytes as text. */
export const preface: Uint8Array = Buffer.from('PHLINK\r\n', 'latin1')

/** The version of the protocol that is spoken here. */
export const version = 1

/** The protocol's name in TLS's negotiation (ALPN). */
export const alpnProtocol = 'posthaste-link/1'

/** Port where a URL names none. */
export const portDefault = 7420

/** Types of frames. */
export const frameType = {
  hello: 0x0,
  open: 0x1,
  message: 0x2,
  end: 0x3,
  error: 0x4,
  cancel: 0x5,
  credit: 0x6,
  ping: 0x7,
  goaway: 0x8,
} as const

/** Flags of frames. A bit that a type does not list is zero. */
export const frameFlag = {
  /** OPEN, MESSAGE: the sender sends no further message on the stream. */
  last: 0x01,
  /** OPEN: a message follows, or its first piece. */
  body: 0x02,
  /** OPEN: the name of the method follows its number. */
  named: 0x04,
  /** OPEN, MESSAGE: the message is compressed. */
  compressed: 0x08,
  /** OPEN, MESSAGE: the message goes on in the stream's next MESSAGE frame. */
  more: 0x10,
  /** ERROR: nothing was done with the stream. */
  untouched: 0x01,
  /** PING: an answer. */
  ack: 0x01,
  /** A frame of an unknown type that may be skipped. */
  skippable: 0x80,
} as const

/** Bytes of a frame before its payload. */
export const headerBytes = 9
/** Largest payload the format can say. */
export const frameBytesLimit = 0xff_ffff
/** Every receiver takes frames as large as this. */
export const frameBytesLeast = 16 * 1024
/** Largest HELLO, and the bound on the first frame of either side. */
export const helloBytesMax = 16 * 1024
/** Largest number of a stream. */
export const streamIdMax = 0x7fff_ffff
/** Largest window, and the largest grant. */
export const windowMax = 0x7fff_ffff
/** Smallest window a HELLO may announce. */
export const windowLeast = 16 * 1024
/** An OPEN without a deadline. */
export const noTimeout = 0xffff_ffff
/** The number of a method that is not remembered. */
export const unnumberedMethod = 0xffff
/** The index of `application/octet-stream`, which every server takes. */
export const octetStreamCodec = 0xff
/** The content type behind {@link octetStreamCodec}. */
export const octetStream = 'application/octet-stream'
/** Least credit that a frame with a message, or a piece of one, costs. */
export const messageCostLeast = 64

/** What a side has when its HELLO does not say otherwise. */
export const helloDefaults = {
  frameBytesMax: 64 * 1024,
  messageBytesMax: 16 * 1024 * 1024,
  metadataBytesMax: 16 * 1024,
  methodsMax: 256,
  streamWindow: 256 * 1024,
  connectionWindow: 4 * 1024 * 1024,
  streamsMax: 4096,
  keepaliveMs: 10_000,
} as const

/** Why a client cancels. */
export const cancelReason = { givenUp: 0, deadline: 1 } as const

/**
 * Credit that a frame with so many bytes of a message takes from the windows of its stream and its connection. Empty and
 * tiny messages cost more than their bytes, because they cost the receiver more to keep.
 */
export function creditCost(bytes: number): number {
  return bytes < messageCostLeast ? messageCostLeast : bytes
}
