/** Bytes as base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  // In pieces, because a function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += pieceBytes)
    binary += String.fromCharCode(...bytes.subarray(at, at + pieceBytes))
  return btoa(binary)
}

/** The bytes that base64 stands for, or undefined where it is malformed: no other alphabet, no spaces, padded. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  const binary = decode(text)
  return binary === undefined ? undefined : Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

const pieceBytes = 8_192

function decode(text: string): string | undefined {
  try {
    return atob(text)
  } catch {
    return undefined
  }
}
