using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Duende.IdentityModel.Client;

namespace LlmMarketplace.FirstRun;

/// <summary>The marketplace as anybody sees it: its public address, with the token of one machine client.</summary>
internal sealed class PublicDoor(HttpClient http, string clientId, string clientSecret)
{
    private static readonly TimeSpan RenewBefore = TimeSpan.FromMinutes(1);

    private (string Token, DateTimeOffset Until)? token;

    /// <summary>Sends a request. Expected refusals are the caller's to read; what may pass by itself is thrown as <see cref="TryAgainException"/>.</summary>
    public async Task<Answer> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path.TrimStart('/'));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await TokenAsync(cancellationToken).ConfigureAwait(false));
        request.Content = body is null ? null : JsonContent.Create(body);
        return await SendAsync(http, request, cancellationToken).ConfigureAwait(false);
    }

    public Task<Answer> GetAsync(string path, CancellationToken cancellationToken) => SendAsync(HttpMethod.Get, path, null, cancellationToken);

    /// <summary>Sends with an API key instead of a token.</summary>
    public static async Task<Answer> GetWithKeyAsync(HttpClient http, string path, string key, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path.TrimStart('/'));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return await SendAsync(http, request, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<Answer> SendAsync(HttpClient http, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await http.SendAsync(request, cancellationToken).ConfigureAwait(false);
            var text = await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
            var answer = new Answer(response.StatusCode, Parse(text), $"{request.Method} {request.RequestUri} answered {(int)response.StatusCode}: {text}");
            return response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout
                ? throw new TryAgainException(answer.Description)
                : answer;
        }
        catch (HttpRequestException unreachable)
        {
            throw new TryAgainException($"{http.BaseAddress} cannot be reached: {unreachable.Message}", unreachable);
        }
        catch (TaskCanceledException late) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TryAgainException($"{http.BaseAddress} did not answer in time.", late);
        }
    }

    private async Task<string> TokenAsync(CancellationToken cancellationToken)
    {
        if (token is { } kept && kept.Until > TimeProvider.System.GetUtcNow())
        {
            return kept.Token;
        }

        using var request = new ClientCredentialsTokenRequest
        {
            Address = new Uri(http.BaseAddress!, "connect/token").AbsoluteUri,
            ClientId = clientId,
            ClientSecret = clientSecret,
            ClientCredentialStyle = ClientCredentialStyle.PostBody,
            Scope = "marketplace",
        };
        var answer = await http.RequestClientCredentialsTokenAsync(request, cancellationToken).ConfigureAwait(false);
        if (answer.IsError || answer.AccessToken is null)
        {
            var description = $"{request.Address} gave {clientId} no token: {answer.Error} {answer.ErrorDescription}".TrimEnd();
            throw answer.HttpStatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden ? new FirstRunException(description) : new TryAgainException(description);
        }

        token = (answer.AccessToken, TimeProvider.System.GetUtcNow().AddSeconds(answer.ExpiresIn) - RenewBefore);
        return answer.AccessToken;
    }

    private static JsonNode? Parse(string text)
    {
        try
        {
            return text.Length == 0 ? null : JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>What came back.</summary>
internal sealed record Answer(HttpStatusCode Status, JsonNode? Body, string Description)
{
    public bool Succeeded => (int)Status is >= 200 and < 300;

    /// <summary>The problem's code.</summary>
    public string? Code => (string?)(Body as JsonObject)?["code"];

    /// <summary>The body, or the end of the first run.</summary>
    public JsonNode Expect() => Succeeded && Body is not null ? Body : throw new FirstRunException(Description);
}

/// <summary>It did not work now, and may work in a moment.</summary>
internal sealed class TryAgainException : Exception
{
    public TryAgainException(string message)
        : base(message)
    {
    }

    public TryAgainException(string message, Exception inner)
        : base(message, inner)
    {
    }
}

/// <summary>Does things again until they work or patience ends.</summary>
internal static class Patiently
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>Runs <paramref name="attempt"/> until it returns something; null means not yet.</summary>
    public static async Task<T> UntilAsync<T>(string what, TimeSpan patience, Func<Task<T?>> attempt, CancellationToken cancellationToken)
        where T : class
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            string? reason = null;
            try
            {
                if (await attempt().ConfigureAwait(false) is { } done)
                {
                    return done;
                }
            }
            catch (TryAgainException again)
            {
                reason = again.Message;
            }

            if (TimeProvider.System.GetElapsedTime(began) > patience)
            {
                throw new FirstRunException($"{what} did not come to an end within {patience.TotalSeconds:0} s. {reason}".TrimEnd());
            }

            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
        }
    }
}
