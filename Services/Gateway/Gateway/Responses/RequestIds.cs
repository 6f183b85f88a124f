using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Gateway.Responses;

/// <summary>
/// Gives each request its id, <c>x-request-id</c>: a UUID v7 that we make, sent to the service and back to the client on every answer. A client's own <c>x-request-id</c> is kept
/// beside it as <c>x-client-request-id</c> when it is 1 to 128 letters, digits, dots, hyphens or underscores, so that nobody can write into our records.
/// Everything else that a client says about who it is and how it came here is dropped: the gateway is the first hop that we believe.
/// </summary>
internal sealed class RequestIds(RequestDelegate next, TimeProvider time)
{
    public const string Header = "x-request-id";
    public const string ClientHeader = "x-client-request-id";

    private const int LongestClientId = 128;

    private static readonly string[] Claimed =
    [
        "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl",
        "X-Forwarded-Scheme", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Uri", "X-Forwarded-Method",
        "X-Original-For", "X-Original-Host", "X-Original-Proto", "X-Original-Prefix", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Real-Ip", "X-Client-Ip",
        "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Via",
    ];

    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Request.Headers;
        var asked = request[Header] is [{ } sent] && IsPlain(sent) ? sent : null;
        var id = Guid.CreateVersion7(time.GetUtcNow()).ToString();
        foreach (var header in Claimed)
        {
            request.Remove(header);
        }

        context.TraceIdentifier = id;
        request[Header] = id;
        request.Remove(ClientHeader);
        if (asked is not null)
        {
            request[ClientHeader] = asked;
        }

        context.Response.OnStarting(() =>
        {
            context.Response.Headers[Header] = id;
            if (asked is not null)
            {
                context.Response.Headers[ClientHeader] = asked;
            }

            return Task.CompletedTask;
        });
        return next(context);
    }

    private static bool IsPlain(string id) =>
        id.Length is > 0 and <= LongestClientId && id.All(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '-' or '_');
}
