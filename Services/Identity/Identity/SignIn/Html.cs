using System.Net.Mime;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;

namespace LlmMarketplace.Identity.SignIn;

/// <summary>The few pages that Identity shows: plain HTML without scripts and outside assets, under a policy that allows nothing else.</summary>
internal static class Html
{
    private const string Style =
        """
        :root{color-scheme:light dark;--ink:#16202c;--soft:#5b6877;--paper:#fff;--ground:#eef2f7;--line:#c9d2dd;--accent:#1d5bd8;--on-accent:#fff;--bad:#b3261e;--bad-paper:#fdecea}
        @media (prefers-color-scheme:dark){:root{--ink:#e8edf4;--soft:#9fb0c3;--paper:#18212d;--ground:#0e141c;--line:#3a4859;--accent:#7fabff;--on-accent:#0b1a33;--bad:#ffb4ab;--bad-paper:#3a1614}}
        *{box-sizing:border-box}
        body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
        main{width:100%;max-width:24rem;background:var(--paper);border:1px solid var(--line);border-radius:1rem;padding:2rem;box-shadow:0 1rem 3rem rgb(0 0 0/.12)}
        .brand{margin:0 0 1.5rem;font-weight:650;letter-spacing:.01em;color:var(--soft)}
        h1{margin:0 0 .25rem;font-size:1.5rem;line-height:1.25}
        p{margin:0 0 1.25rem;color:var(--soft)}
        label{display:block;margin:0 0 .25rem;font-weight:550}
        input{width:100%;margin:0 0 1rem;padding:.65rem .75rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--soft);border-radius:.5rem}
        button,.choice{display:block;width:100%;padding:.7rem 1rem;font:inherit;border-radius:.5rem;cursor:pointer}
        button{font-weight:600;color:var(--on-accent);background:var(--accent);border:0}
        .choice{margin:0 0 .75rem;color:inherit;text-decoration:none;border:1px solid var(--line)}
        .choice:hover{border-color:var(--accent)}
        .choice small{display:block;color:var(--soft)}
        ul{list-style:none;margin:0;padding:0}
        :focus-visible{outline:3px solid var(--accent);outline-offset:2px}
        .error{margin:0 0 1.25rem;padding:.75rem 1rem;color:var(--bad);background:var(--bad-paper);border-radius:.5rem}
        """;

    private static readonly string StyleHash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)));

    // Browsers hold form-action against every redirect that follows the form, the last of which goes to the program on the person's machine.
    private static readonly string Policy =
        $"default-src 'none'; style-src 'sha256-{StyleHash}'; form-action 'self' http://127.0.0.1:*; base-uri 'none'; frame-ancestors 'none'";

    public static string Text(string? value) => HtmlEncoder.Default.Encode(value ?? "");

    public static string Error(string? message) => message is null ? "" : $"""<p class="error" role="alert">{Text(message)}</p>""";

    /// <summary>A page. <paramref name="body"/> is HTML: everything in it that came from outside went through <see cref="Text"/>.</summary>
    public static IResult Page(string title, string body, int status = StatusCodes.Status200OK) => new PageResult(title, body, status);

    public static async Task WriteAsync(HttpContext context, string title, string body, int status)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = MediaTypeNames.Text.Html + "; charset=utf-8";
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.XFrameOptions = "DENY";
        response.Headers["Referrer-Policy"] = "no-referrer";
        await response.WriteAsync(
            $"""
             <!doctype html>
             <html lang="en">
             <head>
             <meta charset="utf-8">
             <meta name="viewport" content="width=device-width, initial-scale=1">
             <title>{Text(title)} · LLM Marketplace</title>
             <style>{Style}</style>
             </head>
             <body>
             <main>
             <p class="brand">LLM Marketplace</p>
             <h1>{Text(title)}</h1>
             {body}
             </main>
             </body>
             </html>
             """,
            context.RequestAborted).ConfigureAwait(false);
    }

    private sealed class PageResult(string title, string body, int status) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => WriteAsync(httpContext, title, body, status);
    }
}
