/** Links in a text: only whole addresses of http and https are followed. */

const TARGET =
  /\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/y;
const BARE = /<?(https?:\/\/[^\s<>"`[\]]+)/iy;
const LONGEST = 2000;

/**
 * @param {string} text
 * @param {number} at where a label has just ended
 * @returns {{ href: string, length: number } | null}
 */
export function linkAfter(text, at) {
  if (text[at] !== '(') return null;
  TARGET.lastIndex = 0;
  const found = TARGET.exec(text.slice(at, at + LONGEST));
  const href = found && safeAddress(found[1]);
  return href ? { href, length: found[0].length } : null;
}

/**
 * An address that stands in the text as it is, or between < and >; never its final punctuation.
 *
 * @param {string} text
 * @param {number} at
 * @returns {{ href: string, length: number } | null}
 */
export function bareLink(text, at) {
  BARE.lastIndex = 0;
  const found = BARE.exec(text.slice(at, at + LONGEST));
  if (!found) return null;
  const [all, address] = found;
  const framed = all.startsWith('<');
  if (framed && text[at + all.length] !== '>') return null;
  const kept = framed ? address : trimmed(address);
  const href = safeAddress(kept);
  return href ? { href: kept, length: framed ? all.length + 1 : kept.length } : null;
}

/** @param {string} address */
function trimmed(address) {
  let end = address.length;
  while (/[.,;:!?'*_~)]/.test(address[end - 1])) {
    if (address[end - 1] === ')' && address.slice(0, end).includes('(')) break;
    end -= 1;
  }
  return address.slice(0, end);
}

/**
 * @param {string} address
 * @returns {string | null} null for what is no address of a web page
 */
function safeAddress(address) {
  if (!/^https?:\/\//i.test(address)) return null;
  try {
    return new URL(address).href;
  } catch {
    return null;
  }
}
