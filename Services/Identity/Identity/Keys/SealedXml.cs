using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;

namespace LlmMarketplace.Identity.Keys;

/// <summary>Data-protection keys are stored in the database as this element: never in the clear.</summary>
internal sealed class SealedXmlEncryptor(MasterKey master) : IXmlEncryptor
{
    public const string Purpose = "data-protection";

    public EncryptedXmlInfo Encrypt(XElement plaintextElement)
    {
        var plain = Encoding.UTF8.GetBytes(plaintextElement.ToString(SaveOptions.DisableFormatting));
        return new(new XElement("sealed", Convert.ToBase64String(master.Seal(Purpose, plain))), typeof(SealedXmlDecryptor));
    }
}

/// <summary>Reads what <see cref="SealedXmlEncryptor"/> wrote; made by data protection, by the name that stands in the stored element.</summary>
internal sealed class SealedXmlDecryptor : IXmlDecryptor
{
    private readonly MasterKey master;

    public SealedXmlDecryptor(IServiceProvider services) => master = services.GetRequiredService<MasterKey>();

    public XElement Decrypt(XElement encryptedElement) =>
        XElement.Parse(Encoding.UTF8.GetString(master.Open(SealedXmlEncryptor.Purpose, Convert.FromBase64String(encryptedElement.Value))));
}
