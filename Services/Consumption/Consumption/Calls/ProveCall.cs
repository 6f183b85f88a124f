using System.Net;
using LlmMarketplace.Consumption.Platforms;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Gives a request what proves the marketplace to the provider: the listing's secret as it stands, a token that is fetched with it, or a signature that is made with it.</summary>
internal sealed class ProveCall(GoogleTokens google, AwsSignature aws, ProviderSecretProtector protector)
{
    public ValueTask<Proof> ProveAsync(Call call, Route route, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var plan = call.Plan!;
        if (route.Credential?.Read(protector) is not { } credential)
        {
            return new(Proof.Given);
        }

        var endpoint = plan.Version.Specification.Endpoint;
        switch (endpoint.Authentication)
        {
            case EndpointAuthentication.GoogleServiceAccount:
                return new(google.ProveAsync(request, credential, plan.Version.Listing.Provider, cancellationToken));
            case EndpointAuthentication.AwsSignature:
                return new(aws.ProveAsync(request, credential, cancellationToken));
            default:
                var (name, value) = endpoint.Protocol switch
                {
                    EndpointProtocol.Anthropic => ("x-api-key", credential),
                    EndpointProtocol.AzureOpenAi => ("api-key", credential),
                    EndpointProtocol.Gemini => ("x-goog-api-key", credential),
                    _ => ("authorization", $"Bearer {credential}"),
                };
                request.Headers.TryAddWithoutValidation(name, value);
                return new(Proof.Given);
        }
    }

    /// <summary>Sees whether the provider took it.</summary>
    public void Note(Call call, Route route, HttpResponseMessage answer)
    {
        var plan = call.Plan!;
        if (answer.StatusCode == HttpStatusCode.Unauthorized && plan.Version.Specification.Endpoint.Authentication == EndpointAuthentication.GoogleServiceAccount && route.Credential?.Read(protector) is { } credential)
        {
            google.Forget(credential, plan.Version.Listing.Provider);
        }
    }
}
