using System.Buffers.Text;
using System.Security.Cryptography;
using LlmMarketplace.Identity.Access;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace LlmMarketplace.Identity.Clients;

/// <summary>Who may touch which client, and what a client is to OpenIddict.</summary>
internal static class ClientRules
{
    /// <summary>Client ids of the marketplace's own services begin so; no other client's do.</summary>
    public const string ServicePrefix = "svc-";

    /// <summary>Subject that stands as the maker of clients from configuration.</summary>
    public const string Configuration = "configuration";

    /// <summary>256 bits, URL-safe.</summary>
    public static string NewSecret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>An administrator manages every client; a person those of their organisation whose roles they hold themselves; a machine client none but an administrating one.</summary>
    public static bool MayManage(Caller caller, MachineClient client) =>
        caller.IsAdministrator
        || (caller.UserId is not null && caller.OrganisationId == client.OrganisationId && client.Roles.All(caller.Roles.Contains));

    public static OpenIddictApplicationDescriptor Descriptor(string clientId, string name, string secret, params IEnumerable<string> scopes)
    {
        var descriptor = new OpenIddictApplicationDescriptor
        {
            ClientId = clientId,
            ClientSecret = secret,
            ClientType = ClientTypes.Confidential,
            DisplayName = name,
            Permissions = { Permissions.Endpoints.Token, Permissions.GrantTypes.ClientCredentials },
        };
        descriptor.Permissions.UnionWith(scopes.Select(scope => Permissions.Prefixes.Scope + scope));
        return descriptor;
    }
}
