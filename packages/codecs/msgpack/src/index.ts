/** MessagePack as the format of messages. */
export { type MsgpackContentType, type MsgpackOptions, msgpack } from './msgpack.ts'
