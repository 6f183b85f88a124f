using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Duende.IdentityModel.Client;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>
/// HTTP clients for other services: <c>internal:{service}</c> resolves the service by <c>services:{service}:http:0</c> (as Aspire sets it), brings a token made out to that
/// service, and repeats only GETs. Calls to providers never pass here.
/// </summary>
internal static class InternalClientsExtensions
{
    /// <summary>Client without a token, for the key set and the token endpoint.</summary>
    public const string Anonymous = "internal-anonymous";

    private static readonly string[] Services = ["identity", "publishing", "discovery", "consumption", "admin", "gateway"];

    public static void AddInternalClients(this WebApplicationBuilder builder)
    {
        builder.Services.AddServiceDiscovery();
        builder.Services.AddSingleton<ServiceTokens>();
        builder.Services.AddHttpClient(Anonymous).AddServiceDiscovery();
        foreach (var service in Services)
        {
            var client = builder.Services.AddHttpClient($"internal:{service}", http =>
            {
                http.BaseAddress = new Uri($"http://{service}");
                http.Timeout = Timeout.InfiniteTimeSpan; // The resilience handler bounds each call; a long poll brings its own bound.
            });
            client.AddServiceDiscovery();
            client.AddResilienceHandler("internal", pipeline =>
            {
                pipeline.AddRetry(new HttpRetryStrategyOptions
                {
                    MaxRetryAttempts = 2,
                    Delay = TimeSpan.FromMilliseconds(200),
                    UseJitter = true,
                    ShouldHandle = arguments => ValueTask.FromResult(
                        arguments.Context.GetRequestMessage()?.Method == HttpMethod.Get && HttpClientResiliencePredicates.IsTransient(arguments.Outcome)),
                });
                pipeline.AddTimeout(TimeSpan.FromSeconds(60));
            });
            client.AddHttpMessageHandler(services => new ServiceTokenHandler(services.GetRequiredService<ServiceTokens>(), service));
        }
    }
}

/// <summary>Puts this service's token for <paramref name="target"/> on each request.</summary>
internal sealed class ServiceTokenHandler(ServiceTokens tokens, string target) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await tokens.GetAsync(target, cancellationToken).ConfigureAwait(false));
        var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == System.Net.HttpStatusCode.Unauthorized)
        {
            tokens.Forget(target); // Identity may have started anew with other keys.
        }

        return response;
    }
}

/// <summary>This service's tokens by OAuth 2.0 client credentials, one per service called, kept until a minute before they expire.</summary>
internal sealed class ServiceTokens(IHttpClientFactory clients, IOptions<IdentityOptions> identity, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, (string Token, DateTimeOffset Until)> tokens = new();

    public async Task<string> GetAsync(string target, CancellationToken cancellationToken)
    {
        if (tokens.TryGetValue(target, out var kept) && kept.Until > time.GetUtcNow())
        {
            return kept.Token;
        }

        var own = identity.Value.Client;
        if (own.Id is not { Length: > 0 } || own.Secret is not { Length: > 0 })
        {
            throw new InvalidOperationException("Identity:Client:Id and Identity:Client:Secret are not set: this service cannot prove itself to others.");
        }

        using var request = new ClientCredentialsTokenRequest
        {
            Address = "http://identity/connect/token",
            ClientId = own.Id,
            ClientSecret = own.Secret,
            ClientCredentialStyle = ClientCredentialStyle.PostBody,
            Scope = MarketplaceTokens.InternalScope(target),
        };
        using var client = clients.CreateClient(InternalClientsExtensions.Anonymous);
        var answer = await client.RequestClientCredentialsTokenAsync(request, cancellationToken).ConfigureAwait(false);
        if (answer.IsError || answer.AccessToken is not { Length: > 0 } token)
        {
            throw new HttpRequestException($"Identity gave {own.Id} no token for {target}: {answer.Error} {answer.ErrorDescription}", answer.Exception, answer.HttpStatusCode is 0 ? null : answer.HttpStatusCode);
        }

        tokens[target] = (token, time.GetUtcNow().AddSeconds(answer.ExpiresIn - 60));
        return token;
    }

    public void Forget(string target) => tokens.TryRemove(target, out _);
}
