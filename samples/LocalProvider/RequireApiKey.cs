using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.LocalProvider;

/// <summary>Lets a request through that presents the operator's key. Hashes are compared, in constant time, so neither content nor length of the key leaks.</summary>
internal sealed class RequireApiKey(IOptions<LocalProviderOptions> options) : IEndpointFilter
{
    private readonly byte[] expected = Hash(options.Value.ApiKey);

    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var request = context.HttpContext.Request;
        if (!AuthenticationHeaderValue.TryParse(request.Headers.Authorization, out var header)
            || !header.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase)
            || string.IsNullOrEmpty(header.Parameter))
        {
            return Refused(context, "No API key was presented. Send it as `Authorization: Bearer KEY`.");
        }

        return CryptographicOperations.FixedTimeEquals(Hash(header.Parameter), expected) ? next(context) : Refused(context, "The API key is not valid.");
    }

    private static ValueTask<object?> Refused(EndpointFilterInvocationContext context, string message)
    {
        context.HttpContext.Response.Headers.WWWAuthenticate = "Bearer";
        return ValueTask.FromResult<object?>(ProviderError.Result(StatusCodes.Status401Unauthorized, message, code: "invalid_api_key"));
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
