/** Digits in a row that no double is certain to hold. */
const longDigits = 16

/**
 * Whether JSON, as bytes of UTF-8, has 16 digits in a row anywhere: without, no integer in it is one that a double would
 * round. With, one may be, or the digits are those of a fraction or of text.
 *
 * Hot path of codecs: so many digits in a row cover one of each 16 places, so no others are looked at. No byte is looked at
 * more than about twice, whatever the text.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7493#section-2.2
 */
export function hasLongNumber(bytes: Uint8Array): boolean {
  for (let at = longDigits - 1; at < bytes.length; at += longDigits) {
    if (!isDigit(bytes[at])) continue
    let start = at
    let end = at + 1
    while (isDigit(bytes[start - 1])) start--
    while (isDigit(bytes[end])) end++
    if (end - start >= longDigits) return true
  }
  return false
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}
