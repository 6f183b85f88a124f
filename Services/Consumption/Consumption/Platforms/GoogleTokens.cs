using System.Net;
using Google.Apis.Auth.OAuth2;
using Google.Apis.Auth.OAuth2.Responses;
using Google.Apis.Http;
using Google.Apis.Util;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.Extensions.Caching.Memory;

namespace LlmMarketplace.Consumption.Platforms;

/// <summary>
/// Access tokens of the service accounts of providers (RFC 7523, https://developers.google.com/identity/protocols/oauth2/service-account). Google's own library signs the assertion, keeps the
/// token, fetches the next one some minutes before it runs out, and lets calls that wait for the same one share the fetch. Its assertions are for Google alone, whoever gets them. Where it connects is
/// checked as calls to providers are.
/// </summary>
internal sealed class GoogleTokens : IDisposable
{
    private const string Scope = "https://www.googleapis.com/auth/cloud-platform";
    private const int MaxAnswerBytes = 64 * 1024;
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromHours(2);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    private readonly MemoryCache accounts = new(new MemoryCacheOptions());
    private readonly EndpointGuard guard;
    private readonly Connections connections;
    private readonly Clock clock;

    public GoogleTokens(ProviderConnections connections, EndpointGuard guard, TimeProvider time)
    {
        this.guard = guard;
        this.connections = new Connections(connections.CreateHandler(ConnectTimeout));
        clock = new Clock(time);
    }

    /// <summary>Gives a request the bearer token of a service account.</summary>
    /// <param name="request">The request.</param>
    /// <param name="secret">The account's JSON key.</param>
    /// <param name="organisation">Slug of the provider's organisation.</param>
    /// <param name="cancellationToken">Ends the wait; others may wait on for the same token.</param>
    public async Task<Proof> ProveAsync(HttpRequestMessage request, string secret, string organisation, CancellationToken cancellationToken)
    {
        var (account, problem) = Account(secret, organisation);
        if (account is null)
        {
            return new Proof(AttemptFailure.Credential, problem);
        }

        try
        {
            var token = await account.GetAccessTokenForRequestAsync(cancellationToken: cancellationToken);
            request.Headers.TryAddWithoutValidation("authorization", $"Bearer {token}");
            return Proof.Given;
        }
        catch (TokenResponseException refused) when (refused.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound)
        {
            return new Proof(AttemptFailure.Credential, $"Google gives the provider's service account no access token{Word(refused.Error?.Error)}.");
        }
        catch (HttpRequestException forbidden) when (forbidden.InnerException is ForbiddenEndpointException)
        {
            return new Proof(AttemptFailure.Credential, "The provider's credential has its tokens fetched where no listing may lead.");
        }
        catch (Exception away) when (away is TokenResponseException or HttpRequestException or InvalidOperationException or IOException or Newtonsoft.Json.JsonException)
        {
            return new Proof(AttemptFailure.Token, "Access to the provider cannot be asked for: Google's token server does not answer as it should.");
        }
    }

    /// <summary>Forgets the tokens of an account, one of which the provider did not take.</summary>
    public void Forget(string secret, string organisation) => accounts.Remove((secret, organisation));

    public void Dispose()
    {
        accounts.Dispose();
        connections.Dispose();
    }

    private (ServiceAccountCredential? Account, string? Problem) Account(string secret, string organisation)
    {
        if (accounts.TryGetValue((secret, organisation), out ServiceAccountCredential? known))
        {
            return (known, null);
        }

        if (GoogleServiceAccountKey.Parse(secret, out var problem) is not { } key)
        {
            return (null, $"The provider's credential is no key of a service account. {problem}");
        }

        if (!guard.AdmitsTokenServer(key.TokenUri, organisation))
        {
            return (null, "The provider's credential has its tokens fetched from a server that is not Google's.");
        }

        var account = new ServiceAccountCredential(new ServiceAccountCredential.Initializer(key.ClientEmail, key.TokenUri.AbsoluteUri)
        {
            Scopes = [Scope],
            KeyId = key.PrivateKeyId,
            UseJwtAccessWithScopes = false,
            HttpClientFactory = connections,
            Clock = clock,
            DefaultExponentialBackOffPolicy = ExponentialBackOffPolicy.None, // The call tries again itself, within its own time.
        }.FromPrivateKey(key.PrivateKey));
        return (accounts.GetOrCreate((secret, organisation), entry =>
        {
            entry.SlidingExpiration = ForgottenAfter;
            return account;
        }), null);
    }

    /// <summary>Google's word for why, when it is one.</summary>
    private static string Word(string? error) => error is { Length: > 0 and <= 64 } && error.All(one => char.IsAsciiLetterLower(one) || one == '_') ? $": {error}" : "";

    private sealed class Clock(TimeProvider time) : IClock
    {
        public DateTime Now => time.GetLocalNow().DateTime;

        public DateTime UtcNow => time.GetUtcNow().UtcDateTime;
    }

    /// <summary>One set of connections for all accounts, guarded as those to providers.</summary>
    private sealed class Connections(SocketsHttpHandler handler) : HttpClientFactory, IDisposable
    {
        private readonly HttpMessageInvoker shared = new(handler);

        public void Dispose() => shared.Dispose();

        protected override HttpMessageHandler CreateHandler(CreateHttpClientArgs args) => new Bounded(shared);
    }

    /// <summary>Takes no more of an answer than a token can have; the connections outlive it.</summary>
    private sealed class Bounded(HttpMessageInvoker shared) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await shared.SendAsync(request, cancellationToken);
            await answer.Content.LoadIntoBufferAsync(MaxAnswerBytes, cancellationToken);
            return answer;
        }
    }
}
