/** Protocol Buffers as the format of messages. */
export { type ProtobufContentType, type ProtobufOptions, protobuf } from './protobuf.ts'
