using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>What nobody answers below <c>/v1</c>: said with what was probably meant, a method or an address.</summary>
internal static class RefuseUnknownRoute
{
    private const string Root = "/v1/";

    public static Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!;
        if (Method(path) is { } method && !HttpMethods.Equals(http.Request.Method, method))
        {
            http.Response.Headers.Allow = method;
            return CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.WrongMethod, $"{path} is called by {method}, not by {http.Request.Method}."));
        }

        // Clients put their own /v1 behind a base address that ends in one.
        var once = path[(Root.Length - 1)..];
        var meant = Method(once) is null ? "/docs shows what there is." : $"Take /v1 off the end of the client's base address: {once} is meant.";
        return CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.UnknownRoute, $"There is no {http.Request.Method} {(path.Length > 100 ? path[..100] + "…" : path)} here. {meant}"));
    }

    /// <summary>How an address is called; null when there is nothing at it.</summary>
    private static string? Method(string path) => !path.StartsWith(Root, StringComparison.OrdinalIgnoreCase) ? null
        : Surface.All.Any(surface => path.AsSpan(Root.Length).Equals(surface.Path, StringComparison.OrdinalIgnoreCase)) ? HttpMethods.Post
        : path[Root.Length..].ToUpperInvariant() is "MODELS" or "KEY" ? HttpMethods.Get
        : null;
}
