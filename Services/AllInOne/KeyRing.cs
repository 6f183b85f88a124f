using System.Security.Cryptography;

namespace LlmMarketplace.AllInOne;

/// <summary>
/// Keys and secrets, created once in DIR/keys, one file each (mode 600). Some of them belong to what is in the database: data without such a key
/// is not started. The others can be made anew, since every start tells them to both sides.
/// </summary>
internal sealed class KeyRing
{
    private const int KeyBytes = 32;
    private readonly string directory;

    private KeyRing(string directory) => this.directory = directory;

    /// <summary>Encrypts what providers entrust to us.</summary>
    public string ProviderSecrets => Read("provider-secrets.key");

    /// <summary>Turns API keys into what is stored of them.</summary>
    public string ApiKeyHmac => Read("api-key-hmac.key");

    /// <summary>Encrypts Identity's signing and data-protection keys.</summary>
    public string Identity => Read("identity.key");

    /// <summary>The administrator's password until somebody changes it.</summary>
    public string AdministratorPassword => Read("administrator.password");

    /// <summary>Of the client that prepares the first start.</summary>
    public string BootstrapClient => Secret("bootstrap-client.secret");

    /// <summary>Of the local provider, which knows nothing of the marketplace but this; its published listing holds it too.</summary>
    public string LocalProvider => Read("local-provider.key");

    /// <summary>Of the embedded Redis.</summary>
    public string Redis => Secret("redis.password");

    /// <summary>Of a service's own client at Identity.</summary>
    public string ServiceClient(string service) => Secret($"service-{service}.secret");

    /// <summary>Of a database role.</summary>
    public string DatabaseRole(string role) => Secret($"database-{role}.password");

    /// <summary>Reads the keys, or creates them when there is no data yet.</summary>
    /// <exception cref="StartException">There is data, and a key that it needs is missing.</exception>
    public static KeyRing Open(DataDirectory data)
    {
        Directory.CreateDirectory(data.Keys, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var ring = new KeyRing(data.Keys);
        foreach (var (name, create) in new (string, Func<string>)[]
        {
            ("provider-secrets.key", NewKey),
            ("api-key-hmac.key", NewKey),
            ("identity.key", NewKey),
            ("local-provider.key", NewKey),
            ("administrator.password", NewPassword),
        })
        {
            if (File.Exists(ring.PathOf(name)))
            {
                continue;
            }

            if (data.HasData)
            {
                throw new StartException($"{ring.PathOf(name)} is missing, and the data in {data.Postgres} cannot be used without it: restore it from your backup, or start afresh with --reset.");
            }

            PrivateFile.Write(ring.PathOf(name), create() + "\n");
        }

        return ring;
    }

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes));

    // Letters of each kind and digits, whatever rules a sign-in page has; no look-alikes, for people who type it.
    private static string NewPassword() =>
        string.Join('-', Enumerable.Range(0, 4).Select(_ => RandomNumberGenerator.GetString("ABCDEFGHJKLMNPQRSTUVWXYZ", 1)
            + RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz", 3) + RandomNumberGenerator.GetString("23456789", 2)));

    private string PathOf(string name) => Path.Combine(directory, name);

    private string Read(string name) => File.ReadAllText(PathOf(name)).Trim();

    private string Secret(string name)
    {
        if (!File.Exists(PathOf(name)))
        {
            PrivateFile.Write(PathOf(name), RandomNumberGenerator.GetHexString(64, lowercase: true) + "\n");
        }

        return Read(name);
    }
}
