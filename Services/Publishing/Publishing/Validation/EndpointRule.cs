using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Versions;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>PROTOCOL_MISMATCH, INSECURE_ENDPOINT, FORBIDDEN_ENDPOINT, and whether a credential is there exactly when it is needed, and of the right kind.</summary>
internal sealed class EndpointRule(EndpointGuard guard, CredentialFormats credentials) : ISpecificationRule
{
    public async Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        if (declaration.Endpoint is not { } endpoint)
        {
            return;
        }

        CheckSecret(subject, declaration, endpoint);
        CheckProtocol(declaration, endpoint);
        CheckAuthentication(declaration, endpoint);
        if (!string.IsNullOrWhiteSpace(declaration.Url))
        {
            await CheckAddressAsync(subject, declaration, endpoint.Member("url", required: false)!.Value, declaration.Url, cancellationToken).ConfigureAwait(false);
        }

        foreach (var replica in declaration.Replicas.Where(replica => !string.IsNullOrWhiteSpace(replica.Url)))
        {
            await CheckAddressAsync(subject, declaration, replica.At.Member("url", required: false)!.Value, replica.Url!, cancellationToken).ConfigureAwait(false);
        }

        foreach (var twice in declaration.Replicas.Where(replica => replica.Name is not null).GroupBy(replica => replica.Name).SelectMany(same => same.Key == ServiceEndpoint.Primary ? same : same.Skip(1)))
        {
            twice.At.At("name", default).Report(IssueCodes.Duplicate, $"{twice.Name} is the name of another address.");
        }
    }

    private async Task CheckAddressAsync(ValidationSubject subject, Declaration declaration, Node at, string address, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var url) || url.Host.Length == 0 || url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0)
        {
            at.Report(IssueCodes.InvalidUrl, "The address must be absolute, as https://api.example.com/v1, without credentials, query or fragment.");
            return;
        }

        var (secure, insecure) = declaration.Protocol == EndpointProtocol.WebSocket ? (Uri.UriSchemeWss, Uri.UriSchemeWs) : (Uri.UriSchemeHttps, Uri.UriSchemeHttp);
        if (declaration.Protocol is { } protocol && url.Scheme != secure && url.Scheme != insecure)
        {
            at.Report(IssueCodes.ProtocolMismatch, $"The protocol {WireNames<EndpointProtocol>.Of(protocol)} is spoken at {secure}://, but the address says {url.Scheme}://.");
        }

        var verdict = await guard.CheckAsync(url, subject.OrganisationSlug, cancellationToken).ConfigureAwait(false);
        if (verdict.Kind == EndpointKind.LocalProvider)
        {
            return;
        }

        if (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeWs)
        {
            at.Report(IssueCodes.InsecureEndpoint, $"The address must begin with {secure}://.");
        }

        if (verdict.Kind == EndpointKind.Forbidden)
        {
            at.Report(IssueCodes.ForbiddenEndpoint, verdict.Reason!);
        }
    }

    private static void CheckProtocol(Declaration declaration, Node endpoint)
    {
        if (declaration.Protocol is not { } protocol)
        {
            return;
        }

        if ((protocol == EndpointProtocol.AzureOpenAi) != (declaration.ApiVersion is not null))
        {
            endpoint.At("apiVersion", default).Report(IssueCodes.ProtocolMismatch, "The protocol azure-openai needs an apiVersion, as 2024-10-21, and no other has one.");
        }

        var served = protocol switch
        {
            EndpointProtocol.Anthropic => [ServiceSurfaces.Messages, ServiceSurfaces.CountTokens],
            EndpointProtocol.Gemini => [ServiceSurfaces.GenerateContent],
            EndpointProtocol.Vertex => [ServiceSurfaces.Messages, ServiceSurfaces.CountTokens, ServiceSurfaces.GenerateContent],
            EndpointProtocol.Bedrock => [ServiceSurfaces.Messages, ServiceSurfaces.Converse],
            EndpointProtocol.OpenAi or EndpointProtocol.AzureOpenAi => ServiceSurfaces.All.Except([ServiceSurfaces.Messages, ServiceSurfaces.CountTokens, ServiceSurfaces.GenerateContent, ServiceSurfaces.Converse]),
            _ => (IEnumerable<string>)[],
        };
        if (declaration.Surfaces.Except(served).ToArray() is { Length: > 0 } others)
        {
            endpoint.At("surfaces", default).Report(IssueCodes.ProtocolMismatch, $"The protocol {WireNames<EndpointProtocol>.Of(protocol)} has no {string.Join(", ", others)}.");
        }
    }

    /// <summary>Which proofs a protocol takes. Vertex AI's OpenAI-compatible addresses take Google's tokens too.</summary>
    private static void CheckAuthentication(Declaration declaration, Node endpoint)
    {
        if (declaration.Protocol is not { } protocol || declaration.Authentication is not { } authentication)
        {
            return;
        }

        var fits = authentication switch
        {
            EndpointAuthentication.GoogleServiceAccount => protocol is EndpointProtocol.Vertex or EndpointProtocol.OpenAi,
            EndpointAuthentication.AwsSignature => protocol == EndpointProtocol.Bedrock,
            EndpointAuthentication.ApiKey => protocol != EndpointProtocol.Vertex,
            _ => protocol is not (EndpointProtocol.Vertex or EndpointProtocol.Bedrock),
        };
        if (!fits)
        {
            endpoint.At("authentication", default).Report(
                IssueCodes.ProtocolMismatch,
                $"The protocol {WireNames<EndpointProtocol>.Of(protocol)} does not take the authentication {WireNames<EndpointAuthentication>.Of(authentication)}: vertex takes google-service-account, bedrock aws-signature or api-key (a Bedrock API key).");
        }
    }

    private void CheckSecret(ValidationSubject subject, Declaration declaration, Node endpoint)
    {
        var given = subject.Credentials;
        if (declaration.Authentication is not { } authentication)
        {
            return;
        }

        if (authentication == EndpointAuthentication.None)
        {
            if (given.Count > 0)
            {
                endpoint.At("secret", default).Report(IssueCodes.SecretUnexpected, "The authentication none takes no secret.");
            }

            return;
        }

        if (given.Count == 0)
        {
            endpoint.At("secret", default).Report(IssueCodes.SecretRequired, $"The authentication {WireNames<EndpointAuthentication>.Of(authentication)} needs a secret.");
            return;
        }

        var addresses = declaration.Replicas.Select(replica => replica.Name).OfType<string>().Prepend(ServiceEndpoint.Primary).ToArray();
        foreach (var bare in NamedCredential.Uncovered(addresses, given))
        {
            endpoint.At("secret", default).Report(IssueCodes.SecretRequired, $"The address {bare} has no credential: give it one, or one to all addresses.");
        }

        foreach (var lost in given.Where(one => one.Endpoint is not null && !addresses.Contains(one.Endpoint)))
        {
            endpoint.At("replicas", default).Report(IssueCodes.UnknownValue, $"The credential {lost.Name} is for the address {lost.Endpoint}, which is not there.");
        }

        if (authentication is not (EndpointAuthentication.GoogleServiceAccount or EndpointAuthentication.AwsSignature))
        {
            return;
        }

        string?[] urls = [declaration.Url, .. declaration.Replicas.Select(replica => replica.Url)];
        foreach (var one in given)
        {
            if (credentials.Problem(authentication, subject.SecretOf(one), subject.OrganisationSlug, urls) is { } problem)
            {
                endpoint.At("secret", default).Report(IssueCodes.SecretInvalid, one.Name == PublishedCredential.Default ? problem : $"The credential {one.Name}: {problem}");
            }
        }
    }
}
