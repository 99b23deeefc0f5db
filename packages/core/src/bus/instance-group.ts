import { uuidV5 } from './publishing/derived-ids.ts'

/** 8a4d2c16-3b0f-5e7a-9c41-d05e6f1b2a38: any fixed value serves. */
const space = Uint8Array.of(138, 77, 44, 22, 59, 15, 94, 122, 156, 65, 208, 94, 111, 27, 42, 56)
const shortIdLength = 12
const groupLengthMax = 64

/** Longest name of a group that is broadcast to. */
export const broadcastGroupMax = groupLengthMax - shortIdLength - 1

/**
 * The engine's name of the group that one instance has of a broadcast: no two instances share one. Names of groups have
 * no dots, so it is nobody else's either.
 */
export function instanceGroup(group: string, instance: string): string {
  return `${group}.${uuidV5(space, instance).replaceAll('-', '').slice(0, shortIdLength)}`
}
