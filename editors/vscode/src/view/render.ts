// Markdown of an answer as HTML. No raw HTML, no images: an answer must not reach any address.

import MarkdownIt from 'markdown-it';

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: false }).disable('image');

markdown.validateLink = (address) => /^https?:\/\//i.test(address);

export function render(text: string): string {
  return markdown.render(text);
}
