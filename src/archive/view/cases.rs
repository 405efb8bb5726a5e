//! Made-up messages for the golden files.

pub const CASES: &[(&str, &[u8])] = &[
    (
        "plain",
        b"From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: Hello\r\n\
          Date: Tue, 1 Jul 2003 10:52:37 +0200\r\nMessage-ID: <1@example.org>\r\n\r\nDear Bob,\r\n\r\n\tsee you.\r\n",
    ),
    (
        "alternative",
        "From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\nSubject: =?iso-8859-1?B?R3L832U=?=\n\
         Content-Type: multipart/alternative; boundary=\"=_a\"\n\nA mail of MIME.\n--=_a\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
         Gr=C3=BC=C3=9Fe aus =\nK=C3=B6ln\n--=_a\nContent-Type: text/html\n\n<p>not shown</p>\n--=_a--\n"
            .as_bytes(),
    ),
    (
        "html",
        b"From: shop@example.org\nSubject: Your order\nContent-Type: text/html; charset=\"windows-1252\"\n\n\
          <html><head><style>p { color: red }</style></head><body><h1>Thank you</h1>\n<p>It costs 5\x80 \
          &amp; comes <b>soon</b>.</p><ul><li>one<li>two</ul><a href=\"https://shop.example.org/a?b=1&amp;c=2\">Follow \
          it</a><img src=x alt=\"\"><table><tr><td>a<td>b</tr></table></body></html>\n",
    ),
    (
        "attachments",
        b"From: a@example.org\nSubject: files\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\
          Content-Type: multipart/alternative; boundary=i\n\n--i\n\n \n--i\n\
          Content-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html\n\nOnly <i>here</i>\n--r\n\
          Content-Type: image/png; name=logo.png\nContent-Transfer-Encoding: base64\nContent-Disposition: inline\n\n\
          iVBORw0KGgo=\n--r--\n--i--\n--m\nContent-Type: text/plain; name=\"notes.txt\"\n\nsaved\n--m\n\
          Content-Type: application/pdf\nContent-Disposition: attachment;\n filename*0*=iso-8859-1''%DCber;\n \
          filename*1=\"sicht.pdf\"\nContent-Transfer-Encoding: base64\n\nJVBERi0=\n--m\n\
          Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/mixed; boundary=m2\n\n--m2\n\nx\n--m2--\n\
          --m\nContent-Disposition: attachment\n\nno name\n--m--\n",
    ),
    (
        "hostile",
        "From: \"Bank\u{202e}\x1b[31m\" <evil@example.org>\nTo: \x07\x08undisclosed\nSubject: a\x1b]0;title\x07b\n \u{2066}c\n\
         Content-Type: multipart/mixed; boundary=h\n\n--h\nContent-Type: text/plain; charset=utf-8\n\n\
         clear\x1b[2J screen\rover\x08\x08write\n\u{202e}gnidaer\u{202c} \u{200b}\x00\x7f\u{9b}31m\n--h\n\
         Content-Type: application/x; name=\"../../.ssh/authorized_keys\"\n\nkey\n--h\n\
         Content-Disposition: attachment; filename=\"invoice\u{202e}fdp.exe\"\n\nvirus\n--h\n\
         Content-Disposition: attachment; filename=\"CON\"\n\n\n--h--\n"
            .as_bytes(),
    ),
    (
        "charsets",
        b"Subject: =?gb2312?B?1tDOxA==?= =?shift_jis?B?k/qWew==?= =?koi8-r?Q?=ED=C9=D2?=\nFrom: =?nobody?q?x=FF?= <x@example.org>\n\
          Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/plain; charset=gb2312\n\n\xd6\xd0\xce\xc4\n--c\n\
          Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$BF|K\\\x1b(B\n--c\nContent-Type: text/plain; charset=utf-8\n\n\
          wrong: \xe4\xff\n--c\nContent-Type: text/plain; charset=no-such\n\nnone: \xe4\n--c--\n",
    ),
    (
        "broken",
        b"this is no header\nFrom nobody\nSubject: begins\n without end\n\tat all\nContent-Type: multipart/mixed; boundary=z\n\
          Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nThe boundary never comes.\n--zz\n--y--\n",
    ),
    (
        "report",
        b"From: MAILER-DAEMON\nTo: <>\nSubject: Undelivered\nContent-Type: multipart/report; boundary=\"r\"; report-type=delivery-status\n\n\
          --r\nContent-Description: Notification\n\nIt did not arrive.\n--r\nContent-Type: message/delivery-status\n\n\
          Status: 5.1.1\n\n--r\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: lost\n\nbody\n\n--r--\n",
    ),
];
