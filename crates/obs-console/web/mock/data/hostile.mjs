// Texts from outside that would run or break the page if it did not show them as text.

export const MARKUP = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
export const QUOTES = `"'><svg/onload=window.hacked=1> \`\${window.hacked=1}\` {{constructor.constructor('window.hacked=1')()}}`;
export const SCRIPT_LINK = "javascript:window.hacked=1";
/** Text that is written from right to left, with an override that turns what follows. */
export const TURNED = "\u202Eevil\u202C مرحبا";
export const CONTROL = "a\u0000b\u001b[31mred\u0007\u200b\r\nnext: line";
/** 300 characters without a place to break. */
export const LONG = "a-very-long-na/".repeat(20);

export const ALL = [MARKUP, QUOTES, SCRIPT_LINK, TURNED, CONTROL, LONG];
