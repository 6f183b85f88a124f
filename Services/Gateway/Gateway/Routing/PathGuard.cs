using LlmMarketplace.Gateway.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmMarketplace.Gateway.Routing;

/// <summary>
/// Refuses paths that two readers could read differently: the router is an allow-list, but a service might decode once more than the gateway did. The path is decoded until
/// nothing changes; what is then no plain path is 400, and what then lies below <c>/internal</c> does not exist.
/// </summary>
internal sealed class PathGuard(RequestDelegate next)
{
    private const int MostEncodings = 4;

    public Task InvokeAsync(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var raw = target.StartsWith('/') ? target.Split('?', 2)[0] : context.Request.Path.ToUriComponent();
        return Judge(raw) switch
        {
            Verdict.Unclear => Refusal.WriteAsync(context, StatusCodes.Status400BadRequest, "invalid_path", "The path holds an empty or dot segment, a backslash, a control character, or too many layers of encoding. Send it in its plain form."),
            Verdict.Internal => Refusal.WriteAsync(context, StatusCodes.Status404NotFound, "not_found", "There is nothing at this path."),
            _ => next(context),
        };
    }

    internal enum Verdict
    {
        Plain,
        Unclear,
        Internal,
    }

    internal static Verdict Judge(string path)
    {
        for (var layer = 0; ; layer++)
        {
            var decoded = Uri.UnescapeDataString(path);
            if (decoded == path)
            {
                break;
            }

            if (layer == MostEncodings)
            {
                return Verdict.Unclear;
            }

            path = decoded;
        }

        var unclear = path.Any(character => character is '\\' || char.IsControl(character))
            || path.Contains("//", StringComparison.Ordinal)
            || path.Split('/').Any(segment => segment.Split(';')[0] is "." or "..");
        if (unclear)
        {
            return Verdict.Unclear;
        }

        var first = path.TrimStart('/').Split('/', 2)[0].Split(';')[0].Trim();
        return first.Equals("internal", StringComparison.OrdinalIgnoreCase) ? Verdict.Internal : Verdict.Plain;
    }
}
