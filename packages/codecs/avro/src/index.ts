/** Apache Avro as the format of messages. */
export { type AvroContentType, type AvroOptions, type AvroSchema, avro } from './avro.ts'
