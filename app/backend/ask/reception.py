"""What is answered without looking anything up: greetings, and questions about the program itself.

Only a question that is nothing else counts, word for word, so that none about a document is taken for
one. The answers are fixed; each says that it is not from the documents.
"""

import re
import unicodedata

ASIDE = "This is Carrel itself speaking, not your documents."

_HELLO = "Hello. Ask about anything in your documents: the answer comes with the pages it rests on."
_THANKS = "You are welcome. Ask whenever something else in your documents matters."
_GOODBYE = "Goodbye. Your documents and this conversation stay here."
_ABILITIES = (
    "Carrel answers questions from your own documents. It finds the passages that fit, by their words and"
    " by their meaning, and ties each sentence of an answer to the page it rests on; what is not on your"
    " pages, it says is not there. Quotation marks, file names, pages and sections in a question are"
    " honoured: “What does Lease.pdf say on page 3 about pets?”"
)
_PRIVACY = (
    "Your documents stay on this computer, and so do questions and answers: reading, searching and"
    " answering happen here, without a network. Something leaves only where you set it up yourself, such"
    " as a model server of your own."
)
_ADDING = (
    "Drop files or folders on the window, or run “carrel add” with their names. PDF, Word, PowerPoint, Excel,"
    " OpenDocument, web pages, e-books, mail, Markdown, plain text and more are read, and scanned pages by"
    " text recognition. A document can be asked about as soon as its row says that it is ready."
)
_MODELS = (
    "The models at work are listed under Models, and each answer names the one that wrote it. A small one"
    " comes with Carrel; a larger one of your own writes better answers."
)

_NAME = r"(?: (?:carrel|there|all|everyone|again|zusammen|nochmal))?"
_YOU = r"(?:you|carrel|this (?:program|app|tool))"
_MY = r"(?:(?:my|the|our) )?(?:documents|files|data|questions|texts|pdfs)"
_REPLIES = tuple(
    (re.compile(pattern), reply)
    for pattern, reply in (
        (
            rf"(?:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day)|hallo|moin|servus|guten"
            rf" (?:morgen|tag|abend)|grüß gott|grüezi){_NAME}(?: how are you(?: (?:doing|today))?)?"
            rf"|how are you(?: (?:doing|today))?",
            _HELLO,
        ),
        (
            rf"(?:(?:ok|okay|great|perfect) )?(?:thanks|thank you|thx|cheers|danke|vielen dank)"
            rf"(?: a lot| so much| very much| schön| sehr)?{_NAME}",
            _THANKS,
        ),
        (
            rf"(?:bye|goodbye|bye bye|see you|see you later|good night|tschüss|auf wiedersehen){_NAME}",
            _GOODBYE,
        ),
        (
            rf"(?:please )?help(?: me)?|hilfe|(?:who|what) (?:are you|is carrel)|wer bist du|was kannst du"
            rf"|what (?:can|do|does) {_YOU}(?: do)?|how (?:do|does) {_YOU} work"
            rf"|what can i (?:do|ask)(?: (?:you|here))?|how do i use {_YOU}",
            _ABILITIES,
        ),
        (
            rf"(?:do|does|will|can) {_YOU} (?:send|upload|share|store|leak) {_MY}(?: (?:anywhere|online|to"
            rf" (?:anyone|the (?:cloud|internet)|a server)))?"
            rf"|(?:are|is) {_MY} (?:sent|uploaded|shared|safe|private)(?: (?:anywhere|online|here|with you))?"
            rf"|(?:do|does) {_YOU} work offline|(?:do|does) {_YOU} (?:need|use) (?:the |an )?internet"
            rf"|(?:are|is) {_YOU} (?:private|offline|local)",
            _PRIVACY,
        ),
        (
            rf"how (?:do|can) i (?:add|upload|import|load) (?:a |my |more |new )?"
            rf"(?:documents?|files?|pdfs?|folders?)"
            rf"|(?:what|which) (?:file )?(?:formats|types|files|kinds of (?:files|documents))"
            rf" (?:do|does|can) {_YOU} (?:read|support|open)",
            _ADDING,
        ),
        (
            rf"(?:which|what) (?:language )?model (?:are you(?: using)?|is this|do you use|does {_YOU} use"
            rf"|is (?:loaded|used|running))",
            _MODELS,
        ),
    )
)


def reply(question: str) -> str | None:
    """The fixed answer to a greeting or to a question about the program; None: it is about documents."""
    plain = " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", question).lower()))
    for pattern, answer in _REPLIES:
        if pattern.fullmatch(plain):
            return f"{answer}\n\n{ASIDE}"
    return None
