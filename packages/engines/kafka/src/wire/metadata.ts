import { metadataV12 } from '@platformatic/kafka'
import type { ByteReader } from './bytes.ts'
import type { Request } from './request.ts'

/** A broker, where it says that it is. */
export interface FoundBroker {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

/** What the servers know of a topic. */
export interface FoundTopic {
  readonly errorCode: number
  readonly name: string | undefined
  readonly id: string
  readonly leaders: readonly number[]
}

/** What is known of servers and topics. */
export interface Metadata {
  readonly brokers: readonly FoundBroker[]
  readonly topics: readonly FoundTopic[]
}

/** Asks for the servers, and for topics by name; makes none. */
export function metadata(names: readonly string[]): Request<Metadata> {
  return { key: 3, version: 12, write: () => metadataV12.createRequest([...names], false, false).buffer, read }
}

/** As the client's own reader, which fails for all topics when one is not there. */
function read(reader: ByteReader): Metadata {
  reader.int32()
  const brokers: FoundBroker[] = []
  for (let count = reader.arrayLength(); count > 0; count -= 1) {
    brokers.push({ nodeId: reader.int32(), host: reader.compactString() ?? '', port: reader.int32() })
    reader.compactString()
    reader.tags()
  }
  reader.compactString()
  reader.int32()
  const topics: FoundTopic[] = []
  for (let count = reader.arrayLength(); count > 0; count -= 1) {
    const [errorCode, name, id] = [reader.int16(), reader.compactString(), reader.uuid()]
    reader.int8()
    const leaders: number[] = []
    for (let partitions = reader.arrayLength(); partitions > 0; partitions -= 1) {
      reader.int16()
      const partition = reader.int32()
      leaders[partition] = reader.int32()
      reader.int32()
      for (let lists = 0; lists < 3; lists += 1)
        for (let left = reader.arrayLength(); left > 0; left -= 1) reader.int32()
      reader.tags()
    }
    reader.int32()
    reader.tags()
    topics.push({ errorCode, name, id, leaders })
  }
  return { brokers, topics }
}
