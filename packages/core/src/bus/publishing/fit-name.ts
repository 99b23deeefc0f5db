import { uuidV5 } from './derived-ids.ts'

/** 5d7f0a92-64c1-5b38-8e2d-91a3c47be06f: any fixed value serves, and it must never change. */
const space = Uint8Array.of(93, 127, 10, 146, 100, 193, 91, 56, 142, 45, 145, 163, 196, 123, 224, 111)
const fitting = /^[A-Za-z0-9._-]{1,128}$/

/** Any text as part of a channel's name: as it is where it may be, and as a digest of it otherwise. */
export function fitName(text: string): string {
  return fitting.test(text) ? text : uuidV5(space, text)
}
